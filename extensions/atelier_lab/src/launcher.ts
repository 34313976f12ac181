import { ILabShell, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { PageConfig } from '@jupyterlab/coreutils';

const CREATE = 'launcher:create';

/**
 * The launcher, as soon as Lab's layout stands.
 *
 * Lab shows it itself, after the file browser has twice waited half a second to read its settings again. A
 * child who waits for a place to click waits for that, too.
 */
export const launcher: JupyterFrontEndPlugin<void> = {
  id: 'atelier-lab:launcher',
  description: 'Shows the launcher without waiting for the file browser.',
  autoStart: true,
  requires: [ILabShell],
  activate: (app: JupyterFrontEnd, shell: ILabShell) => {
    // Who comes by a link to a notebook gets the notebook.
    if (PageConfig.getOption('treePath')) {
      return;
    }
    void shell.restored.then(async () => {
      if (shell.isEmpty('main') && app.commands.hasCommand(CREATE)) {
        await app.commands.execute(CREATE);
      }
    });
  }
};
