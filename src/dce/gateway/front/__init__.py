"""The client's side: its bytes, request and body, checked before they are used."""
