"""What policies mean: documents, one evaluator, and the difference that a change makes. Pure: no lake, no network.

patterns    `*` and `?` as IAM matches them, and texts that tell patterns apart
arn         names within ARNs, policy variables
actions     all actions that there are
document    text → statements and their normal form, or why it cannot be read
truth       true, false, or it depends
conditions  does a condition hold
evaluate    is a request allowed: `decide`
cases       all the requests that some statements tell apart
difference  what one set of policies allows and another does not
estate      which policies are in force
replay      a call of the log → what it writes into the estate
exposure    who is let in from outside
escalation  ways by which permissions become more permissions
change      a call of the log → what it granted and took away: `meaning`
holding     what an identity or resource could do or let do at a moment: `holding`
words       permissions in plain words
use         did one who gained use it: `uses`
"""
