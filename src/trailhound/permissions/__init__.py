"""What policies mean: documents, one evaluator, the difference that a change makes. Pure: no lake, no network.

arn         patterns of names, as IAM matches them, and policy variables
language    strings that tell patterns apart
actions     all actions that there are
document    text → statements, or why it cannot be read
conditions  does a condition hold: true, false, or it depends on a key
evaluate    is a request allowed
difference  what one set of policies allows and the other does not
replay      which policies are in force at a call of the log
change      the call of the log → what it granted and took away
escalation  ways by which permissions become more permissions
"""
