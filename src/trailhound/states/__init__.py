"""What a resource was at a moment, from the log alone. What the log does not show is unknown, and says why.

kinds       packs/states.yml → which call writes which attribute of which kind of resource
places      a path into a call → what stands there, or that the log hides it
readings    what stands there → a value
writes      one call → what it wrote to one resource
history     calls and gaps in order → every state that the resource was in: a reducer
calls       the calls of the log that may have written to a resource: a seek
conclusions what several attributes mean together: public, who may assume
state       the whole of it: a resource and a moment → its attributes, each with its calls
words       values as people read them
"""
