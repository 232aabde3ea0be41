"""Matching: pure functions on whole numbers; nothing here waits, reads a clock or draws a random number.

* :mod:`bidstore.auction`: the uniform-price double auction, order by order; :mod:`bidstore.matching.uniform` is its
  twin on arrays, for large books.
* :mod:`bidstore.matching.continuous`: the continuous book with price-time priority.
* :mod:`bidstore.matching.plan`: what a plan over several intervals under feeder limits may do, judged exactly;
  :mod:`~bidstore.matching.solver` finds a best one with HiGHS; :mod:`~bidstore.matching.certificate` lets anybody check
  how good it is; :mod:`~bidstore.matching.submissions` takes the best of many.
"""
