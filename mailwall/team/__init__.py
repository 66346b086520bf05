"""People who use Mailwall. Does: users, roles, teams, who manages whom, who may connect, tokens, the audit log.

Owns: User, Team, Workspace, ApiToken, AuditEntry. Never: contacts or mail.
"""
