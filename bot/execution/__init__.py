"""From one signal to orders and back to nothing: order life, limit prices, brackets."""
