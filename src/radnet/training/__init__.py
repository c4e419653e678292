"""What every training shares: splits, order, augmentation, the loop, and how its state is kept."""
