"""What two or more of Beacon's processes share: settings, the contract, the store, the bus, the web seam."""
