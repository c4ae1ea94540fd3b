"""The workspace's record: the store and its tables, backups and recovery, export and import."""
