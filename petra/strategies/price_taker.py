"""Takes whatever price the auction finds, as long as it is no worse than the DSO's."""

from petra.strategy import Decision, Situation, highest_limit, lowest_limit, offer


class PriceTaker:
    """Offers all that it expects to have or to need, at the DSO's own price.

    In a uniform-price auction a limit decides whether one trades, rarely at what price; so the limit that trades most
    often is the right one for a home that is too small to move the price.
    """

    def decide(self, situation: Situation) -> Decision | None:
        """Whole notes up to the expected surplus or need."""
        net_wh = situation.expected_net_wh
        if net_wh is None:
            return None
        return offer(situation, net_wh, highest_limit(situation) if net_wh > 0 else lowest_limit(situation))
