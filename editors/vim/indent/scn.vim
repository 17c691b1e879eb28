" Indents scenarios by their braces, brackets and parentheses. What stands in a text over lines is left as it is.
if exists('b:did_indent')
  finish
endif
let b:did_indent = 1

setlocal autoindent
setlocal indentexpr=ScnIndent(v:lnum)
setlocal indentkeys=0{,0},0),0],!^F,o,O
let b:undo_indent = 'setlocal autoindent< indentexpr< indentkeys<'

if exists('*ScnIndent')
  finish
endif

" Whether a place belongs to a text, a regex or a comment.
function! s:Quoted(line, column) abort
  return synIDattr(synID(a:line, a:column, 1), 'name') =~# '^scn\%(Comment\|Doc\|Text\|LongText\|Raw\|LongRaw\|Bytes\|Regex\|Escape\|Hole\|Quote\)'
endfunction

" Whether a line begins inside a text over lines.
function! s:InLongText(line) abort
  return a:line > 1 && match(map(synstack(a:line, 1), 'synIDattr(v:val, "name")'), '^scnLong') >= 0
endfunction

" How many blocks a line opens and does not close; closing signs at its start are already in its own indentation.
function! s:Opened(line) abort
  let l:text = getline(a:line)
  let l:count = 0
  let l:at = matchend(l:text, '^[ \t})\]]*')
  while 1
    let l:at = match(l:text, '[{}()\[\]]', l:at)
    if l:at < 0
      return l:count
    endif
    if !s:Quoted(a:line, l:at + 1)
      let l:count += l:text[l:at] =~# '[{(\[]' ? 1 : -1
    endif
    let l:at += 1
  endwhile
endfunction

function! ScnIndent(line) abort
  if s:InLongText(a:line)
    return -1
  endif
  let l:before = prevnonblank(a:line - 1)
  if l:before == 0
    return 0
  endif
  let l:opened = s:Opened(l:before)
  while s:InLongText(l:before)
    let l:before -= 1
    let l:opened += s:Opened(l:before)
  endwhile
  let l:closed = len(substitute(matchstr(getline(a:line), '^[ \t})\]]*'), '\s', '', 'g'))
  return max([0, indent(l:before) + (l:opened - l:closed) * shiftwidth()])
endfunction
