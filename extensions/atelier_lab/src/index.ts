import { JupyterFrontEndPlugin } from '@jupyterlab/application';

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'atelier-lab:sidebar',
  autoStart: true,
  activate: () => undefined
};

export default plugin;
