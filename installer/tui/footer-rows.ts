/** Rows of the footer, known without loading ink. A scrolling region has at least two. */
export const footerRows = 2;
