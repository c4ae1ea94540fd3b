"""From a prompt to N stored responses: who is asked, and how the answers come in."""
