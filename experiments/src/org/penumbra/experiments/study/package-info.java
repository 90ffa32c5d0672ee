/**
 * Experiments that bring their own guests and make tables of their own: no workload is compared under designs, but one thing is varied and
 * what it comes to is put beside what is published or follows from the architecture. A {@link org.penumbra.experiments.study.Study} makes a
 * {@link org.penumbra.experiments.study.StudyResult}.
 */
package org.penumbra.experiments.study;
