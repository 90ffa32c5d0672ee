/**
 * What people and programs read of a run: tables for a terminal, and the three files of a results folder.
 *
 * <p>Results, provenance and timings are separate files, so that the same seed gives the same bytes of results
 * ({@link org.penumbra.experiments.report.ResultsFolder}).
 */
package org.penumbra.experiments.report;
