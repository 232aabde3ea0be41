"""The distribution system operator: regulatory transactions, the tariff, and the accounts of the bills received."""
