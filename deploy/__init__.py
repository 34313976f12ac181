"""What the technician of one machine does with Atelier: put it up, look after it, back it up, move it on."""
