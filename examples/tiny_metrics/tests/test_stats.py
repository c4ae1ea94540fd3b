import unittest

from tiny_metrics import stats


class MeanTest(unittest.TestCase):
    def test_of_several_values(self):
        self.assertEqual(stats.mean([3, 5, 10]), 6)

    def test_of_one_value_is_that_value(self):
        self.assertEqual(stats.mean([4]), 4)

    def test_need_not_be_whole(self):
        self.assertAlmostEqual(stats.mean([1, 2]), 1.5)


class SpreadTest(unittest.TestCase):
    def test_of_several_values_in_any_order(self):
        self.assertEqual(stats.spread([5, 3, 10]), 7)

    def test_of_one_value_is_nothing(self):
        self.assertEqual(stats.spread([4]), 0)

    def test_of_values_below_zero(self):
        self.assertEqual(stats.spread([-2, -5]), 3)
