/**
 * The grammar of scn for tree-sitter. A file is a list of statements; a statement is a head, which is a row of values and signs, and
 * perhaps a block. Which words a statement takes is the business of `scn` itself, not of this file: it knows the words that declare
 * a name, those that change how what follows is read, and nothing else. So a new verb, option or metric needs no new parser.
 *
 * What is coloured as a keyword stands in queries/highlights.scm.
 */

/// <reference types="tree-sitter-cli/dsl" />

const PRECEDENCE = { range: 1, or: 2, and: 3, not: 4, compare: 5, add: 6, multiply: 7, negative: 8, path: 9, index: 10 };

/** Words that a name follows when they begin a statement. Elsewhere they are names like any other. */
const DECLARE = ['scenario', 'flow', 'service', 'process', 'stress', 'let', 'fn', 'param', 'secret', 'matrix', 'action', 'check', 'topology'];

/** After these a `/` begins a regex, not a division. */
const BEFORE_REGEX = ['expects', 'sends', 'line', 'log'];

const HEX = '[0-9a-fA-F]';
const NAME = /[A-Za-z_][A-Za-z0-9_]*/;

module.exports = grammar({
  name: 'scn',

  // A new line ends a statement where a statement may end; everywhere else it is a blank.
  extras: $ => [/\s/, $.comment, $.doc_comment],

  word: $ => $._plain_name,

  conflicts: $ => [[$.declaration, $._taken_word]],

  supertypes: $ => [$.expression],

  rules: {
    source_file: $ => seq(optional('\ufeff'), optional($._statements)),

    _statements: $ => choice(
      seq(repeat1($._ended), optional($._open)),
      $._open,
    ),
    _ended: $ => choice(
      seq($._open, $._terminator),
      $._closed,
      ';',
    ),
    _terminator: _ => choice('\n', ';'),

    // A statement without a block needs an end; one with a block has it.
    _open: $ => choice(
      $.version,
      $.use,
      alias($._plain_declaration, $.declaration),
      alias($._plain_statement, $.statement),
    ),
    _closed: $ => choice(
      $.declaration,
      $.statement,
      $.for,
      $.if,
    ),

    version: $ => prec(1, seq('scn', $.number)),

    use: $ => prec(1, seq(
      'use',
      field('module', choice($.path, $.text)),
      optional(seq('as', field('alias', $.name))),
      optional(seq('(', field('name', $.name), repeat(seq(',', field('name', $.name))), optional(','), ')')),
    )),

    // `scenario NAME`, `flow NAME from ...`, `pattern NAME(PARAMETERS) { }`. What follows the name is as in any other statement.
    declaration: $ => seq(
      choice($._declared, seq(field('kind', 'pattern'), field('name', $.name), optional(field('parameters', $.arguments)))),
      field('body', $.block),
    ),
    _plain_declaration: $ => $._declared,
    _declared: $ => prec(1, seq(
      field('kind', choice(...DECLARE)),
      field('name', $.name),
      optional($.index),
      optional(field('parameters', $.arguments)),
      repeat($._item),
    )),

    // A line of options may end with an `if`: `delay 5ms  if slow { loss 1% }`.
    statement: $ => seq($._head, choice(field('body', $.block), $.if)),
    _plain_statement: $ => $._head,
    _head: $ => repeat1($._item),

    for: $ => prec(1, seq('for', field('name', $.name), 'in', field('values', $._any_value), field('body', $.block))),
    if: $ => prec.right(seq(
      'if', field('condition', $.expression), field('then', $.block),
      optional(seq('else', field('else', choice($.block, $.if)))),
    )),

    block: $ => seq('{', optional($._statements), '}'),

    // ---- what a head consists of ---------------------------------------------------------------------------------------------

    _item: $ => choice($.expression, $.range, $._matched, ',', ':', seq('=', optional($.regex)), '<->'),

    _matched: $ => seq(alias(choice(...BEFORE_REGEX), $.word), $.regex),

    expression: $ => choice(
      $.path,
      $.call,
      $.number,
      $.text,
      $.raw_text,
      $.bytes,
      $.address,
      $.mac,
      $.list,
      $.parenthesis,
      $.unary,
      $.binary,
      $.conditional,
    ),

    // A value where nothing can be divided before it.
    _any_value: $ => choice($.expression, $.range, $.regex),

    range: $ => prec.left(PRECEDENCE.range, seq(field('first', $.expression), '..', field('last', $.expression))),

    unary: $ => choice(
      prec(PRECEDENCE.negative, seq('-', $.expression)),
      prec(PRECEDENCE.not, seq('not', $.expression)),
    ),

    binary: $ => choice(
      ...[
        [PRECEDENCE.or, ['or']],
        [PRECEDENCE.and, ['and']],
        [PRECEDENCE.compare, ['==', '!=', '<', '<=', '>', '>=']],
        [PRECEDENCE.add, ['+', '-']],
        [PRECEDENCE.multiply, ['*', '/']],
      ].map(([precedence, signs]) => prec.left(precedence, seq(
        field('left', $.expression), field('operator', signs.length > 1 ? choice(...signs) : signs[0]), field('right', $.expression),
      ))),
      prec.left(PRECEDENCE.compare, seq(
        field('left', $.expression), field('operator', 'matches'), field('right', choice($.expression, $.regex)),
      )),
    ),

    conditional: $ => prec.right(seq('if', $.expression, 'then', $.expression, 'else', $.expression)),

    // `f (a, b)`, with a blank, stands as two values here.
    parenthesis: $ => seq('(', optional(seq($._argument, repeat(seq(',', $._argument)), optional(','))), ')'),
    list: $ => seq('[', optional(seq($._any_value, repeat(seq(',', $._any_value)), optional(','))), ']'),

    call: $ => prec(PRECEDENCE.path, seq(field('function', $.path), $.arguments)),
    arguments: $ => seq(
      token.immediate('('),
      optional(seq($._argument, repeat(seq(',', $._argument)), optional(','))),
      ')',
    ),
    _argument: $ => choice($._any_value, $.argument),
    // `name: value` of a call, `name: type = value` of a declaration.
    argument: $ => choice(
      seq(field('name', $.name), ':', field('value', $._any_value), optional(seq('=', field('default', $._any_value)))),
      seq(field('name', $.name), '=', field('default', $._any_value)),
    ),

    path: $ => prec.left(PRECEDENCE.path, seq(
      choice($.name, $._taken_word),
      optional($.index),
      repeat(seq('.', $.name, optional($.index))),
    )),
    // A word that means something elsewhere, used as the name of something: `check.loss == 0%`.
    _taken_word: $ => alias(choice(...DECLARE, ...BEFORE_REGEX, 'pattern', 'scn', 'use', 'for'), $.name),
    index: $ => prec(PRECEDENCE.index, seq(token.immediate(prec(1, '[')), choice('*', $.expression, $.range), ']')),

    // ---- tokens --------------------------------------------------------------------------------------------------------------

    name: $ => choice($._plain_name, $._quoted_name),
    _plain_name: _ => NAME,
    _quoted_name: _ => /`[A-Za-z_][A-Za-z0-9_]*`/,

    number: $ => seq(/\d+(\.\d+)?/, optional($.unit)),
    // `50/s`, `10Mbit/s`, `3%`. What stands right after a number and begins with a letter is its unit, known or not.
    unit: _ => token.immediate(prec(1, /%|\/[A-Za-z]\w*|[A-Za-z_µμ]\w*(\/[A-Za-z]\w*)?/)),

    address: _ => token(choice(
      /\d+\.\d+\.\d+(\.\d+)*(\/\d+)?/,
      new RegExp(`(${HEX}{1,4}:){7}(${HEX}|:|\\.\\d)*(/\\d+)?`),
      new RegExp(`((${HEX}{1,4}:)+:|::)(${HEX}|:|\\.\\d)*(/\\d+)?`),
    )),
    mac: _ => new RegExp(`${HEX}{2}(:${HEX}{2}){5}`),

    regex: _ => /\/([^\/\\\n]|\\[^\n])+\//,

    text: $ => choice(
      seq('"', repeat(choice($._piece, $.escape, $.hole)), token.immediate('"')),
      seq('"""', repeat(choice($._long_piece, $.escape, $.hole)), token.immediate(prec(2, '"""'))),
    ),
    _piece: _ => token.immediate(prec(1, /[^"\\$\n]+|\$/)),
    _long_piece: _ => token.immediate(prec(1, /[^"\\$]+|\$|"|""/)),
    escape: _ => token.immediate(prec(1, /\\(x[0-9a-fA-F]{2}|u\{[0-9a-fA-F]*\}|[^xu]|x|u)/)),
    hole: $ => seq(token.immediate(prec(2, '${')), $._any_value, '}'),

    raw_text: _ => token(choice(/r"[^"\n]*"/, /r"""([^"]|"[^"]|""[^"])*"""/)),
    bytes: _ => /hex"[^"\n]*"/,

    // Without a precedence: it would take the new line before it along, which ends a statement.
    doc_comment: _ => /##[^\r\n]*/,
    comment: _ => /#([^#\r\n][^\r\n]*)?/,
  },
});
