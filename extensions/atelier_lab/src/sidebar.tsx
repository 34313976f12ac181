import { TranslationBundle } from '@jupyterlab/translation';
import { LabIcon, refreshIcon, VDomRenderer } from '@jupyterlab/ui-components';
import * as React from 'react';
import { IAssignment, ICourse, IOverview } from './api';
import { AssignmentCard } from './assignmentCard';
import { Dates } from './format';
import { atelierIcon } from './icons';
import { AtelierModel } from './model';

const PANEL_ID = 'atelier-lab:panel';
const ORDER = { late: 0, open: 1, submitted: 2, returned: 3 };

/** The left panel. */
export class AtelierSidebar extends VDomRenderer<AtelierModel> {
  constructor(
    model: AtelierModel,
    private readonly trans: TranslationBundle,
    private readonly dates: Dates,
    private readonly baseUrl: string
  ) {
    super(model);
    this.id = PANEL_ID;
    this.title.icon = atelierIcon;
    this.title.caption = trans.__('Atelier: my assignments');
    this.addClass('atl-Sidebar');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Atelier: my assignments'));
  }

  protected render(): JSX.Element {
    const { model, trans } = this;
    return (
      <>
        <Header model={model} trans={trans} />
        {model.problem && <LoadProblem model={model} trans={trans} />}
        {!model.overview && model.loading && <p className="atl-Hint">{trans.__('Loading…')}</p>}
        {model.overview?.kind === 'course' && <CourseDesk trans={trans} baseUrl={this.baseUrl} />}
        {model.overview && this.renderCourses(model.overview)}
      </>
    );
  }

  private renderCourses(overview: IOverview): JSX.Element {
    const courses = overview.courses.filter(course => course.assignments.length > 0);
    if (courses.length === 0) {
      const nothing =
        overview.kind === 'course'
          ? this.trans.__('This course has no assignments yet. Make one on the course page.')
          : this.trans.__('There are no assignments yet. When your teacher gives one, it appears here.');
      return <p className="atl-Hint">{nothing}</p>;
    }
    return (
      <>
        {courses.map(course => (
          <section key={course.slug} aria-label={course.title}>
            <h3 className="atl-Course">{course.title}</h3>
            <ul className="atl-Cards">
              {this.ordered(course).map(assignment => this.renderCard(overview, course, assignment))}
            </ul>
          </section>
        ))}
      </>
    );
  }

  /** Overdue first, then what is due soonest; what is not released or done comes last. */
  private ordered(course: ICourse): IAssignment[] {
    const rank = (assignment: IAssignment): number => {
      const waiting = !assignment.release && !assignment.fetched && assignment.state === 'open';
      return waiting ? 1.5 : ORDER[this.model.orderedAs(assignment)];
    };
    const due = (assignment: IAssignment): string => assignment.due_at ?? '9999';
    return course.assignments
      .slice()
      .sort((a, b) => rank(a) - rank(b) || due(a).localeCompare(due(b)) || a.title.localeCompare(b.title));
  }

  private renderCard(overview: IOverview, course: ICourse, assignment: IAssignment): JSX.Element {
    const { model, trans, dates } = this;
    if (overview.kind === 'course') {
      return <CourseRow key={assignment.name} assignment={assignment} trans={trans} dates={dates} />;
    }
    return <AssignmentCard key={assignment.name} {...{ model, course, assignment, trans, dates }} />;
  }
}

function Header(props: { model: AtelierModel; trans: TranslationBundle }): JSX.Element {
  const { model, trans } = props;
  const overview = model.overview;
  return (
    <header className="atl-Header">
      <div className="atl-Header-line">
        <h2>{trans.__('Atelier')}</h2>
        <button
          type="button"
          className="atl-Refresh"
          title={trans.__('Refresh')}
          aria-label={trans.__('Refresh')}
          aria-busy={model.loading}
          onClick={() => void model.startAnew()}
        >
          <LabIcon.resolveReact icon={refreshIcon} className={model.loading ? 'atl-Spinner' : ''} tag="span" />
        </button>
      </div>
      {overview && (
        <p className="atl-Who">
          {overview.kind === 'team' ? trans.__('Team: %1', overview.display_name) : overview.display_name}
        </p>
      )}
      {overview?.pages_url && (
        <a className="atl-Back" href={overview.pages_url} target="_blank" rel="noopener">
          {overview.kind === 'course' ? trans.__('To the course page') : trans.__('To My work')} ↗
        </a>
      )}
    </header>
  );
}

function LoadProblem(props: { model: AtelierModel; trans: TranslationBundle }): JSX.Element {
  return (
    <div className="atl-Problem" role="alert">
      <p>{props.model.problem}</p>
      <button type="button" className="atl-Link" onClick={() => void props.model.refresh()}>
        {props.trans.__('Try again')}
      </button>
    </div>
  );
}

/** What a teacher needs in a course workspace. Formgrader opens in a tab of its own: it refuses to be framed. */
function CourseDesk(props: { trans: TranslationBundle; baseUrl: string }): JSX.Element {
  return (
    <p>
      <a className="atl-Back" href={`${props.baseUrl}formgrader/manage_assignments`} target="_blank" rel="noopener">
        {props.trans.__('Open formgrader')} ↗
      </a>
    </p>
  );
}

function CourseRow(props: { assignment: IAssignment; trans: TranslationBundle; dates: Dates }): JSX.Element {
  const { assignment, trans, dates } = props;
  return (
    <li className="atl-Card">
      <h4 className="atl-Card-title">{assignment.title}</h4>
      <p className="atl-Due">
        {assignment.due_at
          ? trans.__('Due: %1', dates.short(assignment.due_at, assignment.zone))
          : trans.__('No due date')}
      </p>
      <p className="atl-Hint">
        {assignment.release
          ? trans.__('Released, version %1', assignment.release.version)
          : trans.__('Not released yet')}
      </p>
    </li>
  );
}
