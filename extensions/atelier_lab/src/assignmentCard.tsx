import { checkIcon, LabIcon, refreshIcon } from '@jupyterlab/ui-components';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { IAssignment, ICourse, IReceipt } from './api';
import { Dates } from './format';
import { AtelierModel, IActivity } from './model';

interface ICardProps {
  model: AtelierModel;
  course: ICourse;
  assignment: IAssignment;
  trans: TranslationBundle;
  dates: Dates;
}

/** One assignment: due date, state, what can be done now, receipt, refusal, earlier submissions. */
export function AssignmentCard(props: ICardProps): JSX.Element {
  const { model, assignment, trans } = props;
  const activity = model.activityOf(assignment);
  return (
    <li
      className="atl-Card"
      data-state={isWaiting(assignment) ? 'waiting' : assignment.state}
      data-assignment={assignment.name}
    >
      <div className="atl-Card-head">
        <h4 className="atl-Card-title">{assignment.title}</h4>
        <Badge assignment={assignment} trans={trans} />
      </div>
      <DueLine {...props} />
      <MarkLine assignment={assignment} trans={trans} />
      <Actions {...props} activity={activity} />
      <div role="status" aria-live="polite">
        <Progress activity={activity} trans={trans} />
        <Receipt {...props} receipt={shownReceipt(assignment, activity)} fresh={!!activity.receipt} />
        <PutBeside names={activity.putBeside} trans={trans} />
      </div>
      {activity.problem && (
        <p className="atl-Problem" role="alert">
          {activity.problem}
        </p>
      )}
      <Earlier {...props} activity={activity} />
    </li>
  );
}

/** Announced by the teacher, nothing to fetch yet. */
function isWaiting(assignment: IAssignment): boolean {
  return !assignment.release && !assignment.fetched;
}

function hasNewRelease(assignment: IAssignment): boolean {
  const { release, fetched, fetched_version } = assignment;
  return fetched && release !== null && fetched_version !== null && fetched_version < release.version;
}

/** The one just given; else the newest, while the assignment waits to be returned. */
function shownReceipt(assignment: IAssignment, activity: IActivity): IReceipt | undefined {
  return activity.receipt ?? (assignment.state === 'returned' ? undefined : assignment.submissions[0]);
}

function PutBeside(props: { names: string[]; trans: TranslationBundle }): JSX.Element | null {
  if (props.names.length === 0) {
    return null;
  }
  return (
    <p className="atl-Note">
      {props.trans.__('You have changed files, so the new ones are beside yours: %1', props.names.join(', '))}
    </p>
  );
}

function Badge(props: { assignment: IAssignment; trans: TranslationBundle }): JSX.Element {
  const { trans, assignment } = props;
  if (isWaiting(assignment)) {
    return <span className="atl-Badge atl-mod-waiting">{trans.__('Not yet')}</span>;
  }
  const words = {
    open: trans.__('To do'),
    submitted: trans.__('Submitted'),
    late: trans.__('Overdue'),
    returned: trans.__('Returned')
  };
  return <span className={`atl-Badge atl-mod-${assignment.state}`}>{words[assignment.state]}</span>;
}

function DueLine(props: ICardProps): JSX.Element {
  const { assignment, trans, dates } = props;
  if (!assignment.due_at) {
    return <p className="atl-Due">{trans.__('No due date')}</p>;
  }
  const left = assignment.state === 'open' ? dates.left(assignment.due_at, Date.now()) : '';
  return (
    <p className="atl-Due">
      {trans.__('Due: %1', dates.short(assignment.due_at, assignment.zone))}
      {left && <span className="atl-Due-left"> · {left}</span>}
    </p>
  );
}

function MarkLine(props: { assignment: IAssignment; trans: TranslationBundle }): JSX.Element | null {
  const { mark } = props.assignment;
  if (!mark) {
    return null;
  }
  const points = `${Number(mark.points)}/${Number(mark.max_points)}`;
  return <p className="atl-Mark">{props.trans.__('Mark: %1 (points: %2)', mark.mark, points)}</p>;
}

function Actions(props: ICardProps & { activity: IActivity }): JSX.Element {
  const { model, course, assignment, trans, activity } = props;
  const busy = activity.step !== null;
  if (isWaiting(assignment)) {
    return <p className="atl-Hint">{trans.__('Your teacher has not released it yet.')}</p>;
  }
  const again = assignment.submissions.length > 0;
  return (
    <div className="atl-Actions">
      {assignment.fetched ? (
        <>
          <Action text={trans.__('Open')} busy={busy} run={() => model.open(assignment)} main={again} />
          <Action
            text={again ? trans.__('Submit again') : trans.__('Submit')}
            busy={busy}
            run={() => model.submit(course, assignment)}
            main={!again}
          />
        </>
      ) : (
        <Action text={trans.__('Fetch and open')} busy={busy} run={() => model.fetchRelease(course, assignment)} main />
      )}
      {hasNewRelease(assignment) && (
        <Action
          text={trans.__('Fetch the new version')}
          busy={busy}
          run={() => model.fetchRelease(course, assignment)}
        />
      )}
      {assignment.feedback && (
        <Action text={trans.__('Feedback')} busy={busy} run={() => model.openFeedback(course, assignment)} />
      )}
    </div>
  );
}

function Action(props: { text: string; busy: boolean; run: () => Promise<void>; main?: boolean }): JSX.Element {
  return (
    <button
      type="button"
      className={`jp-mod-styled atl-Action ${props.main ? 'jp-mod-accept' : 'jp-mod-reject'}`}
      aria-disabled={props.busy}
      onClick={() => !props.busy && void props.run()}
    >
      {props.text}
    </button>
  );
}

function Progress(props: { activity: IActivity; trans: TranslationBundle }): JSX.Element | null {
  const { activity, trans } = props;
  if (activity.step === null) {
    return null;
  }
  const words = {
    fetching: trans.__('Fetching the files…'),
    saving: trans.__('Saving open notebooks…'),
    sending: trans.__('Submitting…'),
    restoring: trans.__('Fetching your submission…'),
    feedback: trans.__('Fetching the feedback…')
  };
  return (
    <p className="atl-Progress">
      <LabIcon.resolveReact icon={refreshIcon} className="atl-Spinner" tag="span" />
      {words[activity.step]}
    </p>
  );
}

function Receipt(props: ICardProps & { receipt?: IReceipt; fresh: boolean }): JSX.Element | null {
  const { receipt, trans, dates, assignment, fresh } = props;
  if (!receipt) {
    return null;
  }
  return (
    <div className={`atl-Receipt ${fresh ? 'atl-mod-fresh' : ''}`}>
      <p className="atl-Receipt-line">
        <LabIcon.resolveReact icon={checkIcon} className="atl-Receipt-icon" tag="span" />
        <strong>{fresh ? trans.__('Submitted. This is your receipt.') : trans.__('Last submission')}</strong>
      </p>
      <dl className="atl-Receipt-facts">
        <dt>{trans.__('When')}</dt>
        <dd>
          {dates.exact(receipt.received_at, assignment.zone)}
          {receipt.late && <span className="atl-Late"> {trans.__('after the due date')}</span>}
        </dd>
        <dt>{trans.__('Number')}</dt>
        <dd>
          <code>{receipt.id}</code>
        </dd>
        <dt>{trans.__('SHA-256')}</dt>
        <dd>
          <code title={receipt.sha256}>{receipt.sha256.slice(0, 12)}…</code>
        </dd>
      </dl>
    </div>
  );
}

function Earlier(props: ICardProps & { activity: IActivity }): JSX.Element | null {
  const { model, assignment, trans, dates, activity } = props;
  const count = assignment.submissions.length;
  if (count === 0) {
    return null;
  }
  return (
    <details className="atl-Earlier">
      <summary>{trans.__('Submissions (%1)', count)}</summary>
      <ul>
        {assignment.submissions.map(receipt => (
          <li key={receipt.id}>
            <span>{dates.short(receipt.received_at, assignment.zone)}</span>
            <button
              type="button"
              className="atl-Link"
              aria-disabled={activity.step !== null}
              aria-label={trans.__('Open a copy of the submission of %1', dates.exact(receipt.received_at, assignment.zone))}
              onClick={() => activity.step === null && void model.restore(assignment, receipt)}
            >
              {trans.__('Open a copy')}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
