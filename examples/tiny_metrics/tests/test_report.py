import unittest

from tiny_metrics import report


class ReadNumbersTest(unittest.TestCase):
    def test_spaces_and_line_ends_separate(self):
        self.assertEqual(report.read_numbers("3 5\n10\n"), [3, 5, 10])


class LineTest(unittest.TestCase):
    def test_names_every_figure(self):
        self.assertEqual(report.line([3, 5, 10]), "3 values, mean 6.0, spread 7")

    def test_says_when_there_are_no_values(self):
        self.assertEqual(report.line([]), "no values")
