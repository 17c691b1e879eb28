// Starts `scn lsp` for the scenarios of a window and talks to it over standard input and output. Everything that is known about the
// language is known by the server; colours before it answers come from syntaxes/scn.tmLanguage.json.
'use strict';

const os = require('node:os');
const path = require('node:path');
const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');

/** @type {LanguageClient | undefined} */
let client;

/** The program of the setting `scn.path`. */
function program() {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath ?? '';
  const said = vscode.workspace.getConfiguration('scn').get('path') || 'scn';
  const whole = said.replaceAll('${workspaceFolder}', folder);
  return whole.startsWith('~/') ? path.join(os.homedir(), whole.slice(2)) : whole;
}

async function start() {
  const command = program();
  // Without `transport`: standard input and output, and no argument `--stdio` of the client's own.
  const run = { command, args: ['lsp'] };
  client = new LanguageClient('scn', 'scn', { run, debug: run }, { documentSelector: [{ language: 'scn' }] });
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    const open = 'Open settings';
    const chosen = await vscode.window.showErrorMessage(
      `\`${command} lsp\` could not be started (${error.message}). Install scn, or name the program in the setting scn.path.`,
      open,
    );
    if (chosen === open) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'scn.path');
    }
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

async function restart() {
  await stop();
  await start();
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand('scn.restart', restart),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('scn.path')) {
        restart();
      }
    }),
  );
  // Not waited for: a message about a program that is missing must not hold the window up.
  start();
}

module.exports = { activate, deactivate: stop };
