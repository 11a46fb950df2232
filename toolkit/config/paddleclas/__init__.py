"""Configurations of PaddleClas's recognition models, read as configurations of this toolkit.

Every key of such a file is moved to where this toolkit says the same, or left out because it
changes nothing here (the run's log lists these with the reason), or refused; all that is refused is
told at once, with its line. Facts: PaddleClas, ppcls/configs and ppcls/engine, version 2.6.
"""
