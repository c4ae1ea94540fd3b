"""What makes a prompt ready to be sent: its inputs, its price, and .dce/prompt.md."""
