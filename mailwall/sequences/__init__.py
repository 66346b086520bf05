"""Automatic email sequences: steps → mail in the outbox. Does: steps, enrolments, due steps, ends, unsubscribing.

Owns: Sequence, Step, Enrolment, StepRun, Suppression, Holiday, Task.
Never: sending itself, reading IMAP itself, counting a robot's mail as a reply, writing to who unsubscribed.
"""
