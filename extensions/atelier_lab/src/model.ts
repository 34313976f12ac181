import { VDomModel } from '@jupyterlab/ui-components';
import { AssignmentState, AtelierApi, IAssignment, ICourse, IOverview, IReceipt, Refusal } from './api';
import { Documents } from './documents';

/** What is being done with one assignment, or how it ended. */
export interface IActivity {
  step: 'fetching' | 'saving' | 'sending' | 'restoring' | 'feedback' | null;
  problem: string | null;
  receipt: IReceipt | null;
  /** New files that a fetch put beside changed ones. */
  putBeside: string[];
}

const IDLE: IActivity = { step: null, problem: null, receipt: null, putBeside: [] };

type Outcome = Partial<Pick<IActivity, 'receipt' | 'putBeside'>>;

/** The sidebar's state and actions. Every change is signalled; nothing here throws to the caller. */
export class AtelierModel extends VDomModel {
  constructor(
    private readonly api: AtelierApi,
    private readonly documents: Documents,
    private readonly texts: { notSaved: string }
  ) {
    super();
  }

  overview: IOverview | null = null;
  loading = false;
  problem: string | null = null;
  loadedAt = 0;

  activityOf(assignment: IAssignment): IActivity {
    return this.activities.get(assignment.folder) ?? IDLE;
  }

  get busy(): boolean {
    return [...this.activities.values()].some(activity => activity.step !== null);
  }

  /** True when something can still be handed in: the panel then opens by itself. */
  get somethingToDo(): boolean {
    const all = (this.overview?.courses ?? []).flatMap(course => course.assignments);
    return all.some(a => a.release !== null && (a.state === 'open' || a.state === 'late'));
  }

  /** The state by which a card is ordered: it keeps its place after an action until the reader asks anew. */
  orderedAs(assignment: IAssignment): AssignmentState {
    return this.heldStates.get(assignment.folder) ?? assignment.state;
  }

  /** What the reader asks for with the button: also forgets receipts and sentences of earlier actions. */
  async startAnew(): Promise<void> {
    if (!this.busy) {
      this.activities.clear();
      this.heldStates.clear();
    }
    await this.refresh();
  }

  async refresh(): Promise<void> {
    if (this.loading || this.isDisposed) {
      return;
    }
    this.loading = true;
    this.stateChanged.emit();
    try {
      this.overview = await this.api.loadOverview();
      this.problem = null;
    } catch (error) {
      this.problem = sentence(error);
    }
    this.loading = false;
    this.loadedAt = Date.now();
    this.stateChanged.emit();
  }

  async fetchRelease(course: ICourse, assignment: IAssignment): Promise<void> {
    await this.act(assignment, 'fetching', async () => {
      const made = await this.api.fetchRelease(course.slug, assignment.name);
      await this.documents.openFolder(made.folder, made.notebooks);
      return { putBeside: made.put_beside ?? [] };
    });
  }

  async open(assignment: IAssignment): Promise<void> {
    await this.documents.openFolder(assignment.folder, assignment.notebooks);
  }

  /** Save what is open, then submit what is on disk. */
  async submit(course: ICourse, assignment: IAssignment): Promise<void> {
    await this.act(assignment, 'saving', async () => {
      await this.documents.saveBelow(assignment.folder).catch(() => {
        throw new Refusal(this.texts.notSaved, 'not_saved', true);
      });
      this.note(assignment, { ...IDLE, step: 'sending' });
      return { receipt: await this.api.submit(course.slug, assignment.name) };
    });
  }

  async openFeedback(course: ICourse, assignment: IAssignment): Promise<void> {
    await this.act(assignment, 'feedback', async () => {
      const fetched = await this.api.fetchFeedback(course.slug, assignment.name);
      await this.documents.openPage(fetched.files[0]);
    });
  }

  async restore(assignment: IAssignment, receipt: IReceipt): Promise<void> {
    await this.act(assignment, 'restoring', async () => {
      const made = await this.api.restore(receipt.id);
      await this.documents.openFolder(made.folder, made.notebooks);
    });
  }

  /** Run one action at a time per assignment; its end (receipt or sentence) stays until the next one. */
  private async act(
    assignment: IAssignment,
    step: IActivity['step'],
    action: () => Promise<Outcome | void>
  ): Promise<void> {
    if (this.activityOf(assignment).step !== null) {
      return;
    }
    this.heldStates.set(assignment.folder, this.orderedAs(assignment));
    this.note(assignment, { ...IDLE, step });
    try {
      const outcome = (await action()) ?? {};
      this.note(assignment, { ...IDLE, ...outcome });
    } catch (error) {
      this.note(assignment, { ...IDLE, problem: sentence(error) });
    }
    await this.refresh();
  }

  private note(assignment: IAssignment, activity: IActivity): void {
    this.activities.set(assignment.folder, activity);
    this.stateChanged.emit();
  }

  private readonly activities = new Map<string, IActivity>();
  private readonly heldStates = new Map<string, AssignmentState>();
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
