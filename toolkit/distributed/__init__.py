"""Several processes that train one network: their group, what they gather, and how they start.

Every function does nothing, or gives back what it was given, in a process that is alone; so losses,
methods and the training loop call them without asking.
"""
