"""What goes into the prompt: chosen, shown in part or whole, counted, and put together."""
