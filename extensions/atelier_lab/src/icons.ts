import { LabIcon } from '@jupyterlab/ui-components';

/** An easel: three legs and a canvas. Drawn for Atelier. */
const EASEL = `
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16" aria-hidden="true">
  <g class="jp-icon3" fill="none" stroke="#616161" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">
    <path d="M12 2.5v3M4.5 5.5h15v9.5h-15zM7.5 15l-2.5 6.5M16.500 15l2.5 6.5M12 15v4.500"/>
  </g>
</svg>`;

export const atelierIcon = new LabIcon({ name: 'atelier-lab:easel', svgstr: EASEL });
