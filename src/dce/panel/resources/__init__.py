"""The panel's resources, one file each: the structs that go in and out, the handlers, and the rows of the route table.

A route stands in the file of what it shows or changes. Records of the workspace (cycles, board rows, acceptances, events) go out as
they are; a struct here is a view that a screen needs and the workspace does not.
"""
