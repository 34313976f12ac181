import { JupyterFrontEnd } from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { DocumentRegistry } from '@jupyterlab/docregistry';
import { toArray } from '@lumino/algorithm';
import { Widget } from '@lumino/widgets';

const SAVE_ATTEMPTS = 20;
const SAVE_PAUSE_MS = 250;
const LIVE_SAVE_MS = 5000;

/** Opens and saves the documents of this browser. */
export class Documents {
  constructor(
    private readonly app: JupyterFrontEnd,
    private readonly manager: IDocumentManager
  ) {}

  /** Open the one notebook of a folder; with none or several, show the folder in the file browser. */
  async openFolder(folder: string, notebooks: string[]): Promise<void> {
    if (notebooks.length === 1) {
      await this.openFile(notebooks[0]);
    } else {
      await this.app.commands.execute('filebrowser:open-path', { path: folder });
    }
  }

  async openFile(path: string): Promise<void> {
    await this.app.commands.execute('docmanager:open', { path });
  }

  /** Show a feedback page. Lab's HTML viewer shows it in a sandboxed frame without scripts. */
  async openPage(path: string): Promise<void> {
    await this.app.commands.execute('docmanager:open', { path, factory: 'HTML Viewer' });
  }

  /** Save everything that is open below `folder`. Resolves when the server says that it is on disk. */
  async saveBelow(folder: string): Promise<void> {
    const contexts = new Set<DocumentRegistry.Context>();
    for (const area of ['main', 'left', 'right', 'down'] as const) {
      for (const widget of toArray(this.app.shell.widgets(area))) {
        const context = this.contextOf(widget);
        if (context && this.isBelow(context, folder) && context.isReady && !context.model.readOnly) {
          contexts.add(context);
        }
      }
    }
    await Promise.all([...contexts].map(context => (this.isLive(context) ? this.saveLive(context) : this.save(context))));
  }

  private isLive(context: DocumentRegistry.Context): boolean {
    return context.model.collaborative === true;
  }

  /**
   * A live document lies with the server, which writes it to disk itself before it submits. Saving here first makes
   * sure that the last key has arrived there; on a busy server its answer can get lost, and nobody waits for that.
   */
  private async saveLive(context: DocumentRegistry.Context): Promise<void> {
    const enough = new Promise<void>(resolve => window.setTimeout(resolve, LIVE_SAVE_MS));
    await Promise.race([this.save(context).catch(() => undefined), enough]);
  }

  private contextOf(widget: Widget): DocumentRegistry.Context | undefined {
    return this.manager.contextForWidget(widget);
  }

  private isBelow(context: DocumentRegistry.Context, folder: string): boolean {
    const path = context.localPath.replace(/^RTC:/, '');
    return path.startsWith(`${folder}/`);
  }

  /** In live editing a save that is asked for during another one is refused: ask again until it is taken. */
  private async save(context: DocumentRegistry.Context): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await context.save();
      } catch (error) {
        if (attempt === SAVE_ATTEMPTS) {
          throw error;
        }
        await new Promise(resolve => window.setTimeout(resolve, SAVE_PAUSE_MS));
      }
    }
  }
}
