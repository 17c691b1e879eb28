" Files that end in .scn are scenarios.
autocmd BufNewFile,BufRead *.scn setfiletype scn
