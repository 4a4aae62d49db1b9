// The last part of the script: what waits until the page is there.

const PICTURE_PARTS: Record<string, (section: HTMLElement) => void> = {
  fixed: (section) => page.run?.fixed && showFixed(page.run.fixed, section),
  browse: (section) => page.run?.browser && browse(page.run.browser, section),
};

/** Fill a section with its pictures; one without any stays as it is. */
function fillPictures(id: string): void {
  const section = document.getElementById(id);
  if (section) PICTURE_PARTS[id]?.(section);
}

// The page is there before its pictures.
addEventListener("load", () =>
  setTimeout(() => {
    for (const id of Object.keys(PICTURE_PARTS)) fillPictures(id);
  }),
);
document.documentElement.dataset.ready = "true";
