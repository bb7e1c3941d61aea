"""What a person's sentence asks for, by rules outside any model: the gate between an instruction and a robot that moves."""
