" How scenarios are edited: comments, four blanks, completion of `use "./file.scn"`.
if exists('b:did_ftplugin')
  finish
endif
let b:did_ftplugin = 1

setlocal comments=b:##,b:#
setlocal commentstring=#\ %s
setlocal formatoptions-=t formatoptions+=croql
setlocal expandtab shiftwidth=4 softtabstop=4
setlocal suffixesadd=.scn
setlocal include=^\\s*use\\s\\+\"
setlocal matchpairs=(:),{:},[:]

let b:undo_ftplugin = 'setlocal comments< commentstring< formatoptions< expandtab< shiftwidth< softtabstop< suffixesadd< include< matchpairs<'
