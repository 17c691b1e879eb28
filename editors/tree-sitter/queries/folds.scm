(block) @fold
(text) @fold
(raw_text) @fold
(arguments) @fold
(list) @fold
