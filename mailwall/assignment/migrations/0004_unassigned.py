"""The mark of unassigned messages moves from the rows of messages into a table of its own (docs/adr/0016).

Filled in one statement from the links, which the mark follows; indexes and foreign keys are made after it. The column
goes in mailstore 0013, which must not run before this.
"""

import django.db.models.deletion
from django.db import migrations, models

# marks.settle as it was when there was this table
FILL = """
INSERT INTO assignment_unassigned (message_id, account_id, counterpart, only_owner, kind)
SELECT m.id, m.account_id, m.counterpart, m.only_owner, CASE WHEN m.automatic = '' THEN 'people'
WHEN m.automatic IN ('list', 'bulk') THEN 'newsletters' ELSE 'automatic' END FROM mailstore_message m
WHERE m.removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM assignment_link l WHERE l.message_id = m.id)
"""
# on the way back the column is there again by now, and false everywhere
UNFILL = "UPDATE mailstore_message SET assigned = TRUE WHERE id IN (SELECT message_id FROM assignment_link)"


class Migration(migrations.Migration):

    dependencies = [
        ('assignment', '0003_unknown_senders'),
        ('email_accounts', '0008_last_news_at'),
        ('mailstore', '0012_compress_with_lz4'),
    ]
    run_before = [('mailstore', '0013_message_without_assigned')]

    operations = [
        migrations.CreateModel(
            name='Unassigned',
            fields=[
                ('message', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='unassigned', serialize=False, to='mailstore.message')),
                ('counterpart', models.CharField(blank=True, max_length=320)),
                ('only_owner', models.BooleanField(default=False)),
                ('kind', models.CharField(choices=[('people', 'People'), ('newsletters', 'Newsletters'), ('automatic', 'Automatic')], max_length=11)),
                ('account', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='email_accounts.emailaccount')),
            ],
            options={
                'indexes': [models.Index(fields=['counterpart', '-message', 'account', 'only_owner', 'kind'], name='unassigned_by_sender'), models.Index(fields=['account', '-message', 'only_owner'], name='unassigned_by_account')],
            },
        ),
        migrations.RunSQL(FILL, UNFILL),
    ]
