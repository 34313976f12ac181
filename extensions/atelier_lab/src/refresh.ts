import { Poll } from '@lumino/polling';
import { AtelierModel } from './model';
import { AtelierSidebar } from './sidebar';

const AT_MOST_EVERY_MS = 60_000;
const INTERVAL_MS = 5 * 60_000;

/**
 * Ask the service again when the reader comes back to the page or panel, at most once a minute, and every five
 * minutes while the panel can be seen. A hidden tab asks nothing.
 */
export function keepFresh(model: AtelierModel, panel: AtelierSidebar): void {
  const refreshIfOld = async (): Promise<void> => {
    const old = Date.now() - model.loadedAt >= AT_MOST_EVERY_MS;
    if (old && !model.busy && !document.hidden && panel.isVisible) {
      await model.refresh();
    }
  };
  const onFocus = (): void => void refreshIfOld();
  window.addEventListener('focus', onFocus);
  document.addEventListener('visibilitychange', onFocus);
  const poll = new Poll({
    factory: refreshIfOld,
    frequency: { interval: INTERVAL_MS, backoff: false },
    standby: () => (document.hidden || !panel.isVisible ? true : 'when-hidden'),
    name: 'atelier-lab:refresh'
  });
  panel.disposed.connect(() => {
    poll.dispose();
    window.removeEventListener('focus', onFocus);
    document.removeEventListener('visibilitychange', onFocus);
  });
}
