"""Authentication, limits and admission: who the caller is, what its key may use, and when its request may start."""
