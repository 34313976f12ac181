import { ILabShell, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator } from '@jupyterlab/translation';
import { AtelierApi } from './api';
import { Documents } from './documents';
import { Dates } from './format';
import { launcher } from './launcher';
import { AtelierModel } from './model';
import { keepFresh } from './refresh';
import { AtelierSidebar } from './sidebar';

const DOMAIN = 'atelier_lab';
const RANK = 50; // above the file browser (100)

/** The Atelier panel in Lab's left side. */
const sidebar: JupyterFrontEndPlugin<void> = {
  id: 'atelier-lab:sidebar',
  description: 'My assignments: fetch, submit with a receipt, feedback.',
  autoStart: true,
  requires: [IDocumentManager, ITranslator],
  optional: [ILabShell, ICommandPalette],
  activate: (
    app: JupyterFrontEnd,
    manager: IDocumentManager,
    translator: ITranslator,
    shell: ILabShell | null,
    palette: ICommandPalette | null
  ) => {
    const trans = translator.load(DOMAIN);
    const language = translator.languageCode.replace('_', '-');
    const settings = app.serviceManager.serverSettings;
    const unreachable = trans.__('Your workspace does not answer. Check the network, then try again.');
    const notSaved = trans.__(
      'The notebook could not be saved, so nothing was submitted. Save it, then submit again.'
    );
    const api = new AtelierApi(settings, language, unreachable);
    const model = new AtelierModel(api, new Documents(app, manager), { notSaved });
    const panel = new AtelierSidebar(model, trans, new Dates(language, trans), settings.baseUrl);
    app.shell.add(panel, 'left', { rank: RANK });

    const label = trans.__('Show the Atelier panel');
    const command = 'atelier-lab:show';
    app.commands.addCommand(command, { label, execute: () => app.shell.activateById(panel.id) });
    palette?.addItem({ command, category: trans.__('Atelier') });

    void Promise.all([app.restored, model.refresh()]).then(() => {
      if (shell && model.somethingToDo) {
        shell.activateById(panel.id);
      }
      keepFresh(model, panel);
    });
  }
};

export default [sidebar, launcher];
