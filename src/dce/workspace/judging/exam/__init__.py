"""The exam: which tests and test configuration judge an answer, and what an answer changes about them."""
