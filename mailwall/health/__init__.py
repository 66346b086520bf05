"""How the installation does: metrics, System status, `doctor`.

Does: asks tables, queue and machines, and tells it in figures and in words. Owns: the tally of what happened, by the
hour, and the beats of running processes. Never: mail, an address in a metric or log, a figure of one process alone.
"""
