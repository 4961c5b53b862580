"""Work over many machines as an Apache Beam pipeline: the frame that inference and extraction share.

All modules but `job` and `places` are made of Beam's classes, and import it: who needs one imports it in a function.
"""
