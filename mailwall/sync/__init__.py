"""Mail server → mailstore. Does: folders and cursors, placements, runs, the ledger; drives the straight line.

Owns: Folder, Placement, LedgerEntry, SyncRun. Never: parsing rules, matching rules, pages of a contact.
"""
