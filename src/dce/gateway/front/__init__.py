"""The client's side: its bytes, its request, its body, checked before anything is done with them."""
