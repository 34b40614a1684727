import { said } from "./question.mjs";

said("item number 1");
