"""What is on the shelf: stock, its feed, and the commands that prepare and write them."""
