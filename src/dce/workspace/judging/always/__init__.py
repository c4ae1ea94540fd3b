"""What is looked at in every answer, without any configuration: does it parse, are its imports there, does it hold a secret."""
