" `:compiler scn`, then `:make %`: the problems of a scenario in the quickfix list.
if exists('current_compiler')
  finish
endif
let current_compiler = 'scn'

let s:save_cpo = &cpo
set cpo&vim

CompilerSet makeprg=scn\ check\ --message-format\ short
CompilerSet errorformat=%f:%l:%c:\ %trror[%m,%f:%l:%c:\ %tarning[%m,%-G%.%#

let &cpo = s:save_cpo
unlet s:save_cpo
