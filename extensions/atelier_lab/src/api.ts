import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

/** The server's proof that a submission is stored. Instants are ISO 8601 in UTC. */
export interface IReceipt {
  id: string;
  course: string;
  assignment: string;
  received_at: string;
  sha256: string;
  file_count: number;
  late: boolean;
}

export interface IMark {
  points: number | string;
  max_points: number | string;
  mark: string;
}

export type AssignmentState = 'open' | 'submitted' | 'late' | 'returned';

/** One assignment as the service tells it, joined with this workspace's files (paths relative to Lab's root). */
export interface IAssignment {
  name: string;
  title: string;
  kind: 'individual' | 'team';
  due_at: string | null;
  zone: string;
  release: { version: number; released_at: string } | null;
  submissions: IReceipt[];
  feedback: { submission_id: string } | null;
  mark?: IMark | null;
  state: AssignmentState;
  folder: string;
  fetched: boolean;
  fetched_version: number | null;
  notebooks: string[];
  feedback_files: string[];
}

export interface ICourse {
  slug: string;
  title: string;
  assignments: IAssignment[];
}

export interface IOverview {
  account: string;
  kind: 'personal' | 'team' | 'course';
  display_name: string;
  pages_url: string;
  courses: ICourse[];
}

export interface IFolder {
  folder: string;
  notebooks: string[];
  /** New files of a later release that stand beside ones the student changed. */
  put_beside?: string[];
}

/** A refusal or failure as one sentence in the reader's language. `retry`: the same may work later. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly retry: boolean
  ) {
    super(message);
  }
}

/** The workspace's own server part, below `<base url>atelier/`. */
export class AtelierApi {
  /** `unreachable` is the sentence for "no answer at all"; `language` is what Lab shows right now. */
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly language: string,
    private readonly unreachable: string
  ) {}

  loadOverview(): Promise<IOverview> {
    return this.request('assignments');
  }

  fetchRelease(course: string, assignment: string): Promise<IFolder> {
    return this.request('fetch', { course, assignment });
  }

  submit(course: string, assignment: string): Promise<IReceipt> {
    return this.request('submit', { course, assignment });
  }

  fetchFeedback(course: string, assignment: string): Promise<{ files: string[] }> {
    return this.request('feedback', { course, assignment });
  }

  restore(submissionId: string): Promise<IFolder> {
    return this.request('restore', { submission_id: submissionId });
  }

  /** POST when there is a body, else GET. Throws Refusal. */
  private async request<T>(path: string, body?: object): Promise<T> {
    const url = URLExt.join(this.settings.baseUrl, 'atelier', path);
    const init: RequestInit = {
      method: body ? 'POST' : 'GET',
      headers: { 'Accept-Language': this.language, 'Content-Type': 'application/json' },
      body: body ? JSON.stringify(body) : undefined,
      cache: 'no-store'
    };
    let response: Response;
    let answer: any;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
      answer = await response.json();
    } catch {
      throw new Refusal(this.unreachable, 'unreachable', true);
    }
    if (!response.ok) {
      throw new Refusal(answer.message ?? this.unreachable, answer.error ?? 'failed', answer.retry ?? true);
    }
    return answer as T;
  }
}
